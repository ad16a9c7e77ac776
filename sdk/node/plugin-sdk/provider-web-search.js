export { jsonResult, readNumberParam, readPositiveIntegerParam, readStringArrayParam, readStringParam } from './internal/actions.js';
export { formatCliCommand } from './internal/cli-name.js';
