export { createSubsystemLogger } from './internal/host.js';
