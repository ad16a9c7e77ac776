export { buildCommandTextFromArgs, findCommandByNativeName, formatCommandArgMenuTitle, listChatCommands, listNativeCommandSpecs, parseCommandArgs, resolveCommandArgChoices, resolveCommandArgMenu, serializeCommandArgs } from './internal/native-commands.js';
export { listNativeCommandSpecsForConfig } from './internal/text-commands.js';
