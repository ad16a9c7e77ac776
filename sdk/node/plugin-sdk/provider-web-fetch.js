export { jsonResult, readNumberParam, readStringParam } from './internal/actions.js';
