// How long a command-line backend may be silent: a share of its time limit, within bounds in ms.

/** For a new session. */
export const CLI_FRESH_WATCHDOG_DEFAULTS = { noOutputTimeoutRatio: 0.8, minMs: 180_000, maxMs: 600_000 };
/** For one that goes on. */
export const CLI_RESUME_WATCHDOG_DEFAULTS = { noOutputTimeoutRatio: 0.3, minMs: 60_000, maxMs: 180_000 };
