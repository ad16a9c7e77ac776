export { readFiniteNumberParam, readNonNegativeIntegerParam, readNumberParam, readPositiveIntegerParam, readStringArrayParam, readStringOrNumberParam, readStringParam } from './internal/actions.js';
