export { asFiniteNumber } from './internal/numbers.js';
export { asBoolean } from './internal/strings.js';
