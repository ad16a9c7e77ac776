export { formatCliCommand } from './internal/cli-name.js';
export { theme } from './internal/terminal.js';
export { parseDurationMs } from './internal/values.js';
export { VERSION } from './internal/version.js';
export { formatHelpExamples } from './internal/cli-helpers.js';
