export { defineToolPlugin, getToolPluginMetadata, toolPluginMetadataSymbol } from './internal/tool-plugin.js';
