export { formatCliCommand } from './internal/cli-name.js';
