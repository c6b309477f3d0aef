import type { ServiceStatus as ServiceStatusRow } from '../market/service-status.ts';
import { builder } from './builder.ts';

const Feed = builder.enumType('Feed', {
  description: 'Where the market data comes from.',
  values: {
    LIVE: { description: 'The real market, in real time.' },
    DELAYED: { description: 'The real market, 15 minutes late.' },
    SIMULATED: { description: 'A simulated exchange: real symbols, invented prices.' },
    REPLAY: { description: 'A recording.' },
  } as const,
});

const ServiceState = builder.enumType('ServiceState', {
  description: 'How this service is doing.',
  values: {
    OPERATIONAL: { description: 'All is well.' },
    DEGRADED: {
      description:
        'Something that this service needs is away; `reason` says what. Quotes are answered from the last known values.',
    },
    PAUSED: { description: 'Market events are held back on purpose.' },
    SHUTTING_DOWN: { description: 'This process is about to end: reconnect.' },
  } as const,
});

const ServiceStatus = builder.objectRef<ServiceStatusRow>('ServiceStatus').implement({
  description: 'How this service and its feed are doing.',
  fields: (t) => ({
    state: t.field({ type: ServiceState, description: 'The state.', resolve: (status) => status.state }),
    reason: t.exposeString('reason', {
      nullable: true,
      description: 'In plain words, where the state is not OPERATIONAL.',
    }),
    feed: t.field({ type: Feed, description: 'Where the market data comes from.', resolve: (status) => status.feed }),
    feedConnected: t.exposeBoolean('feedConnected', { description: 'Whether the upstream is connected.' }),
    redisConnected: t.exposeBoolean('redisConnected', {
      nullable: true,
      description: 'Whether Redis is connected; null where none is configured.',
    }),
    timestamp: t.field({ type: 'DateTime', description: 'When this was so.', resolve: (status) => status.timestamp }),
  }),
});

builder.queryField('serviceStatus', (t) =>
  t.field({
    type: ServiceStatus,
    description: 'How this service is doing now.',
    resolve: (_root, _args, { status }) => status.readServiceStatus(),
  }),
);

builder.subscriptionField('serviceStatus', (t) =>
  t.field({
    type: ServiceStatus,
    description: 'How this service is doing: the current status first, then each change.',
    subscribe: (_root, _args, { status }) => status.openServiceStatus(),
    resolve: (status) => status,
  }),
);
