export { formatCliCommand } from './internal/cli-name.js';
export { theme } from './internal/terminal.js';
export { VERSION } from './internal/version.js';
