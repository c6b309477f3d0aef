import { listHolidays } from '../../market/calendar-holidays.ts';
import { formatDay, newYorkDayOf, newYorkTime, yearOf } from '../../market/calendar-time.ts';
import { TRADE_CONDITIONS } from '../../market/conditions.ts';
import type { Condition, Eligibility } from '../../market/conditions.ts';
import { OFF_EXCHANGE_ID, listExchanges } from '../../market/exchanges.ts';
import type { Index, Instrument } from './instrument.ts';
import { PRIMARY_EXCHANGE } from './listings.ts';
import { isIndexItem, notFound, readLimit } from './rest-answer.ts';
import type { RestRequest } from './rest-answer.ts';

const NEW_YORK = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'America/New_York',
  dateStyle: 'short',
  timeStyle: 'medium',
});
const REGULAR_OPEN_MINUTES = 570;

/** `GET /v1/marketstatus/now`, with a field that the vendor has not: `continuous`, a market that never closes. */
export function answerMarketStatus(request: RestRequest): object {
  const { schedule } = request.tape.market;
  const session = schedule.sessionAt(request.now);
  const open = session === 'REGULAR';
  const earlyHours = session === 'PRE_MARKET';
  const afterHours = session === 'AFTER_HOURS';
  const market = open ? 'open' : earlyHours || afterHours ? 'extended-hours' : 'closed';
  const regular = open ? 'open' : 'closed';
  return {
    afterHours,
    currencies: { crypto: 'open', fx: 'open' },
    earlyHours,
    exchanges: { nasdaq: market, nyse: market, otc: regular },
    indicesGroups: { s_and_p: regular, dow_jones: regular, nasdaq: regular, cccy: regular, ftse_russell: regular },
    market,
    serverTime: formatNewYork(request.now),
    continuous: schedule.continuous,
  };
}

function formatNewYork(timeMs: number): string {
  const wall = NEW_YORK.format(timeMs).replace(' ', 'T');
  const hours = Math.round((timeMs - Date.parse(`${wall}Z`)) / 3_600_000);
  return `${wall}-${String(hours).padStart(2, '0')}:00`;
}

/** `GET /v1/marketstatus/upcoming`: a bare list, of a year and more. */
export function answerHolidays(request: RestRequest): readonly object[] {
  if (request.tape.market.schedule.continuous) return [];
  const today = newYorkDayOf(request.now);
  const year = yearOf(today);
  return [...listHolidays(year), ...listHolidays(year + 1)]
    .filter(({ day }) => day >= today)
    .flatMap(({ day, name, closeMinutes }) =>
      ['NYSE', 'NASDAQ', 'OTC'].map((exchange) => ({
        date: formatDay(day),
        exchange,
        name,
        ...(closeMinutes === null
          ? { status: 'closed' }
          : {
              status: 'early-close',
              open: new Date(newYorkTime(day, REGULAR_OPEN_MINUTES)).toISOString(),
              close: new Date(newYorkTime(day, closeMinutes)).toISOString(),
            }),
      })),
    );
}

/** `GET /v3/reference/tickers` */
export function answerTickerList(request: RestRequest): object {
  const { query, tape } = request;
  const market = query.get('market');
  const type = query.get('type');
  const ticker = query.get('ticker');
  const search = query.get('search')?.toLowerCase();
  const from = request.position ?? 0;
  const limit = readLimit(request, 100, 1_000);
  const found =
    query.get('active') === 'false'
      ? []
      : [...tape.market.instruments, ...tape.market.indices]
          .filter((item) => market === null || market === (isIndexItem(item) ? 'indices' : 'stocks'))
          .filter((item) => type === null || (!isIndexItem(item) && item.listing.type === type))
          .filter((item) => ticker === null || item.symbol === ticker)
          .filter(
            (item) => search === undefined || `${item.symbol} ${item.listing.name}`.toLowerCase().includes(search),
          )
          .sort((one, other) => (one.symbol < other.symbol ? -1 : 1));
  if (query.get('order') === 'desc') found.reverse();
  const results = found.slice(from, from + limit).map((item) => describe(request, item));
  return {
    count: results.length,
    status: 'OK',
    results,
    ...(from + limit < found.length ? { next_url: request.nextUrl(from + limit) } : {}),
  };
}

/** `GET /v3/reference/tickers/{ticker}` */
export function answerTickerDetails(request: RestRequest): object {
  const item = request.tape.market.find(request.parts[0]!);
  if (item === undefined) throw notFound('Ticker not found.');
  const [root = '', suffix] = item.symbol.split('.');
  return {
    status: 'OK',
    results: {
      ...describe(request, item),
      ...(isIndexItem(item) ? {} : { round_lot: item.roundLot }),
      ticker_root: root,
      ...(suffix === undefined ? {} : { ticker_suffix: suffix }),
    },
  };
}

function describe(request: RestRequest, item: Instrument | Index): Record<string, unknown> {
  const lastUpdated = new Date(request.tape.market.beganAt).toISOString();
  const names = { ticker: item.symbol, name: item.listing.name, locale: 'us', active: true };
  if (isIndexItem(item))
    return { ...names, market: 'indices', source_feed: 'Simulator', last_updated_utc: lastUpdated };
  return {
    ...names,
    market: 'stocks',
    type: item.listing.type,
    primary_exchange: PRIMARY_EXCHANGE[item.listing.tape].mic,
    currency_name: 'usd',
    last_updated_utc: lastUpdated,
  };
}

/** Of the groups of ids whose names begin so, the vendor's word for the kind. */
function kindOf(condition: Condition): string {
  if (condition.id === 41) return 'trade_thru_exempt';
  if (condition.name.startsWith('Short Sale')) return 'short_sale_restriction_indicator';
  return condition.name.startsWith('Financial Status') ? 'financial_status_indicator' : 'sale_condition';
}

function toRules({ highLow, last, volume }: Eligibility): Record<string, boolean> {
  return { updates_high_low: highLow, updates_open_close: last, updates_volume: volume };
}

/** `GET /v3/reference/conditions`: those of stock trades. */
export function answerConditions(request: RestRequest): object {
  const { query } = request;
  const wanted = (query.get('asset_class') ?? 'stocks') === 'stocks' && (query.get('data_type') ?? 'trade') === 'trade';
  const id = query.get('id');
  const limit = readLimit(request, 10, 1_000);
  const from = request.position ?? 0;
  const found = [...TRADE_CONDITIONS].filter(
    (condition) => wanted && condition.id !== 0 && (id === null || condition.id === Number(id)),
  );
  const results = found.slice(from, from + limit).map((condition) => ({
    id: condition.id,
    type: kindOf(condition),
    name: condition.name,
    asset_class: 'stocks',
    data_types: ['trade'],
    sip_mapping: {
      ...(condition.cta === null ? {} : { CTA: condition.cta }),
      ...(condition.utp === null ? {} : { UTP: condition.utp }),
    },
    ...(condition.consolidated === null || condition.marketCenter === null
      ? {}
      : {
          update_rules: {
            consolidated: toRules(condition.consolidated),
            market_center: toRules(condition.marketCenter),
          },
        }),
    ...(condition.legacy ? { legacy: true } : {}),
  }));
  return {
    status: 'OK',
    count: results.length,
    results,
    ...(from + limit < found.length ? { next_url: request.nextUrl(from + limit) } : {}),
  };
}

const FACILITIES: readonly (readonly [mic: string, name: string])[] = [
  ['FINY', 'FINRA NYSE TRF'],
  ['FINN', 'FINRA Nasdaq TRF Carteret'],
  ['FINC', 'FINRA Nasdaq TRF Chicago'],
  ['XADF', 'FINRA Alternative Display Facility'],
];
const SIP_IDS: readonly number[] = [5, 13];

/** `GET /v3/reference/exchanges`: FINRA's four facilities share an id. */
export function answerExchanges(request: RestRequest): object {
  const wanted = (request.query.get('asset_class') ?? 'stocks') === 'stocks';
  const common = { asset_class: 'stocks', locale: 'us' };
  const results = !wanted
    ? []
    : listExchanges().flatMap(({ id, mic, name, participant }) => {
        const letter = participant === null ? {} : { participant_id: participant };
        if (id === OFF_EXCHANGE_ID) {
          return FACILITIES.map(([facility, title]) => ({
            id,
            type: 'TRF',
            ...common,
            name: title,
            mic: facility,
            operating_mic: 'FINR',
            ...letter,
          }));
        }
        const type = SIP_IDS.includes(id) ? 'SIP' : 'exchange';
        return [{ id, type, ...common, name, ...(mic === null ? {} : { mic, operating_mic: mic }), ...letter }];
      });
  return { status: 'OK', count: results.length, results };
}
