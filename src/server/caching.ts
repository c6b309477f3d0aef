/**
 * What every answer says that does not say otherwise. Nothing that moves, knows a viewer, or tells of a failure may be kept by a cache on
 * the way: a cache that is told nothing keeps some of it by a guess of its own (RFC 9111, 4.2.2), and hands it to somebody else.
 */
export const NOT_CACHED = 'no-store';

/** The headers of a request at /graphql on which its answer depends, for a cache that keeps it all the same. */
export const GRAPHQL_VARY = 'Accept, Accept-Encoding, Authorization, Origin, X-Api-Key';
