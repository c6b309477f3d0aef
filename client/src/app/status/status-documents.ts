import type { MarketStatusChangesSubscription, ServiceStatusChangesSubscription } from '../../gql/graphql.ts';

export type MarketStatus = MarketStatusChangesSubscription['marketStatus'];
export type ServiceStatus = ServiceStatusChangesSubscription['serviceStatus'];
