import type { Viewer as ViewerRow } from '../access/viewer.ts';
import { builder } from './builder.ts';

const Viewer = builder.objectRef<ViewerRow>('Viewer').implement({
  description: 'Who asks, by a token or a key.',
  fields: (t) => ({
    id: t.exposeID('id', { description: "The user: the token's `sub`; of a key without a user, the key itself." }),
    name: t.exposeString('name', {
      nullable: true,
      description: "The name to be shown: the token's `name`, or the key's.",
    }),
    scopes: t.stringList({
      description: 'What is allowed: of `market:read`, `portfolio:read` and `trade`.',
      resolve: ({ scopes }) => [...scopes],
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    description: 'Who asks; null: anonymous.',
    resolve: (_root, _args, { viewer }) => viewer,
  }),
);
