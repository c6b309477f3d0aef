export const SCOPES = ['market:read', 'portfolio:read', 'trade'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks. */
export type Viewer = {
  readonly id: string;
  readonly name: string | null;
  readonly scopes: readonly Scope[];
  /** Unix ms; null: does not expire. */
  readonly expiresAt: number | null;
  /** Names the credential for revocation: a token's `jti` (or a hash of it) or a key's id. */
  readonly credential: string;
};
