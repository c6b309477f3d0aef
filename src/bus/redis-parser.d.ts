declare module 'redis-parser' {
  export type ParserOptions = {
    readonly returnReply: (reply: unknown) => void;
    readonly returnError: (error: Error) => void;
    readonly returnFatalError: (error: Error) => void;
    readonly returnBuffers: boolean;
  };

  /** Of RESP 2: feeds on what a server sends, and returns each reply as soon as it is whole. */
  export default class Parser {
    constructor(options: ParserOptions);
    execute(data: Buffer): void;
  }
}
