export { buildModelsProviderData, formatModelsAvailableHeader, resolveModelsCommandReply } from './internal/models-list.js';
