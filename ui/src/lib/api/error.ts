// A request that failed: why, and what to do about it.
export class ApiError extends Error {
  readonly reason: string;
  readonly advice: string;
  /** HTTP status; 0 where no answer came. */
  readonly status: number;

  constructor(reason: string, advice = '', status = 0) {
    super(reason);
    this.name = 'ApiError';
    this.reason = reason;
    this.advice = advice;
    this.status = status;
  }
}
