export { normalizeE164 } from './internal/allowlists.js';
export { sleep, withTimeout } from './internal/async-tools.js';
export { CONFIG_DIR, ensureDir, resolveConfigDir, resolveHomeDir, resolveUserPath } from './internal/paths.js';
export { clamp, clampInt, clampNumber, displayPath, displayString, safeParseJson, shortenHomeInString, shortenHomePath, sliceUtf16Safe, truncateUtf16Safe } from './internal/plain-text.js';
export { fetchWithTimeout } from './internal/provider/http.js';
export { pathExists } from './internal/safe-files.js';
export { escapeRegExp } from './internal/strings.js';
