import type { TapeStatus } from '../../graphql/tape-status.ts';
import type { MarketStatus, ServiceStatus } from './status-documents.ts';

export type Tone = 'good' | 'waiting' | 'warning' | 'bad';

/** How the page stands with its server: one word for the header, a sentence for who asks. */
export function describeConnection({ state, isRefused }: Pick<TapeStatus, 'state' | 'isRefused'>): {
  readonly word: string;
  readonly sentence: string;
  readonly tone: Tone;
} {
  switch (state) {
    case 'connecting':
      return { word: 'Connecting', sentence: 'The server has not been heard yet.', tone: 'waiting' };
    case 'live':
      return { word: 'Live', sentence: 'Every event arrives as it happens.', tone: 'good' };
    case 'resuming':
      return { word: 'Reconnecting', sentence: 'The connection broke: what was missed is fetched.', tone: 'warning' };
    case 'degraded':
      return {
        word: 'Live by stream',
        sentence: 'WebSocket is barred here: events come by HTTP stream.',
        tone: 'good',
      };
    case 'polling':
      return {
        word: 'Every 2 s',
        sentence: 'No stream comes through: the server is asked again and again.',
        tone: 'warning',
      };
    case 'offline':
      return isRefused
        ? { word: 'Refused', sentence: 'The server refuses this page.', tone: 'bad' }
        : { word: 'Offline', sentence: 'The server cannot be reached.', tone: 'bad' };
  }
}

const SESSIONS: Readonly<Record<MarketStatus['session'], string>> = {
  PRE_MARKET: 'Pre-market',
  REGULAR: 'Market open',
  AFTER_HOURS: 'After hours',
  OVERNIGHT: 'Overnight',
  CLOSED: 'Market closed',
};

/** The session in words, and what it counts down to; `null` where it counts to nothing, as where the market never closes. */
export function describeMarket({ session, isOpen, nextOpen, nextClose, holiday }: MarketStatus): {
  readonly word: string;
  readonly event: { readonly verb: string; readonly at: number } | null;
} {
  const at = isOpen ? nextClose : nextOpen;
  return {
    word: holiday == null ? SESSIONS[session] : `${SESSIONS[session]}, ${holiday}`,
    event: at == null ? null : { verb: isOpen ? 'closes in' : 'opens in', at: Date.parse(at) },
  };
}

export type Notice = {
  readonly tone: 'information' | 'warning' | 'bad';
  readonly title: string;
  readonly text: string;
};

/** What the reader must know of the service before he believes a price; `null` where all is well. */
export function describeService({ state, reason, feed, feedConnected }: ServiceStatus): Notice | null {
  switch (state) {
    case 'PAUSED':
      return {
        tone: 'warning',
        title: 'Market data is paused',
        text: reason ?? 'It goes on when the operator resumes it.',
      };
    case 'SHUTTING_DOWN':
      return { tone: 'warning', title: 'The server is shutting down', text: 'This page reconnects by itself.' };
    case 'DEGRADED':
      return { tone: 'warning', title: 'Service degraded', text: reason ?? 'Quotes may be old.' };
    case 'OPERATIONAL':
      if (!feedConnected) return { tone: 'warning', title: 'The market feed is away', text: 'Quotes may be old.' };
      if (feed === 'SIMULATED') {
        return {
          tone: 'information',
          title: 'Simulated market',
          text: 'Real symbols, invented prices. Orders are on paper.',
        };
      }
      return null;
  }
}
