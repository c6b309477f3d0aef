# syntax=docker/dockerfile:1

FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No dependency needs a script of its own to install.
RUN npm ci --ignore-scripts
COPY client ./client
# The page is built with all dependencies; what then stays is what the program runs with.
RUN npx vite build client && npm prune --omit=dev --ignore-scripts

FROM node:26-slim
WORKDIR /app
# A container's ports are open to nobody until they are published: monitoring reaches ADMIN_PORT, where it is set, from outside.
ENV NODE_ENV=production PORT=4000 ADMIN_HOST=0.0.0.0 NODE_COMPILE_CACHE=build/compile-cache
# Written by the embedded database, as whatever user the container runs.
RUN mkdir --mode=1777 data
COPY --from=build /app/node_modules ./node_modules
COPY package.json schema.graphql ./
COPY src ./src
COPY --from=build /app/client/dist ./client/dist
# What a first start would do otherwise: a database to be copied, and compiled code.
RUN node src/prepare.ts
USER node
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node strips the types: the server has no build step.
CMD ["node", "src/main.ts"]
