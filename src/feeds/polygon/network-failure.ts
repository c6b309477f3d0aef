/**
 * Why a connection failed, for eyes that may be a stranger's: the system's word for it ("ECONNREFUSED"), not its
 * message, which names addresses of our network and is empty where several addresses were tried.
 */
export function describeNetworkFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  // `fetch` says "fetch failed" and hides why in the cause.
  const root = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in root && typeof root.code === 'string' ? root.code : '';
  // Codes of the WebSocket and HTTP libraries say less than their messages, which name no address.
  return code === '' || /^(WS_ERR|UND_ERR)_/.test(code) ? root.message : code;
}
