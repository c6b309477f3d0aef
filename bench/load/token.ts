import { createHmac } from 'node:crypto';

/** A token as an issuer makes it: HS256, valid for an hour. */
export function signToken(subject: string, secret: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const expiry = Math.floor(Date.now() / 1_000) + 3_600;
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: subject, exp: expiry })}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}
