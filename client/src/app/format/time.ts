const times = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const days = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** The reader's time of day of an instant, "14:30:05". */
export function formatTime(timestamp: string | number): string {
  return times.format(new Date(timestamp));
}

/** "21 Nov, 14:30", in the reader's time. */
export function formatDateTime(timestamp: string | number): string {
  return days.format(new Date(timestamp));
}

/** How long still: "2 d 4 h", "4 h 05 min", "5 min 09 s", "9 s"; nothing below 0. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${pad(minutes % 60)} min`;
  if (minutes > 0) return `${minutes} min ${pad(seconds % 60)} s`;
  return `${seconds} s`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
