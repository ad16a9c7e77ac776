export { buildCommandTextFromArgs, formatCommandArgMenuTitle, parseCommandArgs, resolveCommandArgChoices, resolveCommandArgMenu, serializeCommandArgs } from './internal/native-commands.js';
