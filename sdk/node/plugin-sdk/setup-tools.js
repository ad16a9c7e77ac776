export { extractArchive } from './internal/archives.js';
export { formatCliCommand } from './internal/cli-name.js';
export { CONFIG_DIR } from './internal/paths.js';
export { detectBinary, resolveBrewExecutable } from './internal/setup-binaries.js';
export { formatDocsLink } from './internal/setup.js';
