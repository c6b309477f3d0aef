import type { ServiceStatus } from './status-documents.ts';

const MARKS: Readonly<Record<ServiceStatus['feed'], string | null>> = {
  LIVE: null,
  DELAYED: '15 min late',
  SIMULATED: 'Simulated',
  REPLAY: 'Replay',
};

/** What the prices are, where they are not the market's of this moment. */
export function FeedMark({ service }: { readonly service: ServiceStatus | null }) {
  const mark = service === null ? null : MARKS[service.feed];
  return mark === null ? null : <span className="feed-mark">{mark}</span>;
}
