// Why an expression was refused. Where the server names a place in it, the place is apart from the words.
import { ApiError } from '../api/error';
import { t } from '../text/text';

export class QueryRefusal extends ApiError {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;

  constructor(reason: string, status: number, line: number, column: number) {
    super(reason, '', status);
    this.line = line;
    this.column = column;
  }
}

/** `invalid parameter "query": 1:6: parse error: …` with its place apart from its words. */
export function refusal(status: number, answer: unknown): ApiError {
  const said = (answer as { error?: unknown } | null)?.error;
  if (typeof said !== 'string') return new ApiError(t.errors.status(status), '', status);
  const place = /^(?:invalid parameter "[a-z]+": )?(\d+):(\d+): (?:parse error: )?([^]*)$/.exec(said);
  return place ? new QueryRefusal(place[3] ?? said, status, Number(place[1]), Number(place[2])) : new ApiError(said, '', status);
}
