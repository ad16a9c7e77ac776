export { enableProviderPluginInConfig as enablePluginInConfig } from './internal/web/config.js';
