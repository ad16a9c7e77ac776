export { normalizeHostname } from './internal/hostnames.js';
export { normalizeScpRemoteHost } from './internal/remote-hosts.js';
