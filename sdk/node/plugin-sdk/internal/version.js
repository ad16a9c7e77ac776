// The release of the reference whose SDK this is.

/** The version that the host advertises. A test compares it with the package and with the gateway. */
export const VERSION = '2026.6.11';
