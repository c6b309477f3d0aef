export const SCOPES = ['market:read', 'portfolio:read', 'trade'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks. */
export type Viewer = {
  readonly id: string;
  readonly name: string | null;
  readonly scopes: readonly Scope[];
  /** Unix ms; `null`: does not expire. */
  readonly expiresAt: number | null;
  /** By which the credential is revoked: `token:` and the token's `jti`, or `key:` and the key's id; `null`: it cannot be. */
  readonly credential: string | null;
};
