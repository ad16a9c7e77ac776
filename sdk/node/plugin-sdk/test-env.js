export { isTruthyEnvValue } from './internal/log-settings.js';
