export { normalizeE164 } from './internal/allowlists.js';
export { sleep, withTimeout } from './internal/async-tools.js';
export { resolveUserPath } from './internal/paths.js';
export { fetchWithTimeout } from './internal/provider/http.js';
export { escapeRegExp } from './internal/strings.js';
