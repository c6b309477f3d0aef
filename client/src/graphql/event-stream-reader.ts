export type StreamedEvent = { readonly type: string; readonly data: string };

/** Reads server-sent events as they come, in pieces of any length. */
export class EventStreamReader {
  #rest = '';
  #type = '';
  #data: string[] = [];
  /** The newest `id`, also of an event without data, which is no event otherwise. */
  lastEventId: string | null = null;

  /** The events that this piece completes. */
  read(text: string): StreamedEvent[] {
    const events: StreamedEvent[] = [];
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const event = this.#readLine(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (event !== null) events.push(event);
    }
    return events;
  }

  #readLine(line: string): StreamedEvent | null {
    if (line === '') {
      const event = this.#data.length === 0 ? null : { type: this.#type || 'message', data: this.#data.join('\n') };
      this.#type = '';
      this.#data = [];
      return event;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#type = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id') this.lastEventId = value;
    return null;
  }
}
