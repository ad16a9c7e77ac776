// Types only.
export {};
export { formatLocationText, toLocationContext } from './internal/location.js';
