export { formatCliCommand } from './internal/cli-name.js';
export { formatDocsLink } from './internal/setup.js';
