export { formatErrorMessage } from './internal/error-text.js';
export { formatDocsLink } from './internal/setup.js';
export { defaultRuntime } from './internal/runtime-io.js';
export { isVerbose, setVerbose } from './internal/log-settings.js';
export { shortenHomeInString, shortenHomePath } from './internal/plain-text.js';
export { colorize, isRich, theme } from './internal/terminal.js';
export { formatHelpExamples, withManager, withProgress, withProgressTotals } from './internal/cli-helpers.js';
