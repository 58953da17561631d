/** The time of day, injectable, so that tests and simulations decide what time it is. */

export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  readonly nowMs: () => number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };
