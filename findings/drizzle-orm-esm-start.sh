#!/usr/bin/env bash
# Node parses the package.json of a package once for each ES module that it loads from it. drizzle-orm 0.45.4 has a package.json of
# 179 kB, nearly all of it "exports", and importing its PostgreSQL driver loads more than a hundred modules.
#
# Expected: `import` and `require` of the same package cost about the same.
# Seen:     `import` takes several times the CPU of `require`, half a second instead of a tenth.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module","allowScripts":{"node":true}}' > package.json
npm install --silent --no-audit --no-fund drizzle-orm@0.45.4 pg@8.23.1 node@26.10.0
cat > measure.mjs <<'JS'
import { createRequire } from 'node:module';
const before = process.cpuUsage();
if (process.argv[2] === 'import') await import('drizzle-orm/node-postgres');
else createRequire(import.meta.url)('drizzle-orm/node-postgres');
const { user, system } = process.cpuUsage(before);
process.stdout.write(String(Math.round((user + system) / 1000)));
JS
node="$folder/node_modules/.bin/node"
# The least of five: other work on the machine only adds.
least() {
  for _ in 1 2 3 4 5; do "$node" measure.mjs "$1"; echo; done | sort -n | head -1
}
imported="$(least import)"
required="$(least require)"
version="$(grep -m1 '"version"' node_modules/drizzle-orm/package.json | tr -dc '0-9.')"
echo "Node $("$node" --version), drizzle-orm $version: package.json $(wc -c < node_modules/drizzle-orm/package.json) bytes"
echo "CPU of import: $imported ms, of require: $required ms"
if [ "$imported" -lt $((required * 2)) ]; then
  echo "This has changed: import costs less than twice of what require does."
  exit 1
fi
