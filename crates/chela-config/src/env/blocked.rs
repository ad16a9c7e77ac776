//! Names of environment variables that a file must not set, because they make programs load other
//! code, talk to other hosts or read other files.

/// Sorted; refused from configuration files and from the working directory.
const DANGEROUS: &[&str] = &[
    "ALL_PROXY",
    "AMQP_URL",
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_COLLECTIONS_PATH",
    "ANSIBLE_CONFIG",
    "ANSIBLE_CONNECTION_PLUGINS",
    "ANSIBLE_FILTER_PLUGINS",
    "ANSIBLE_INVENTORY_PLUGINS",
    "ANSIBLE_LIBRARY",
    "ANSIBLE_LOOKUP_PLUGINS",
    "ANSIBLE_MODULE_UTILS",
    "ANSIBLE_REMOTE_TEMP",
    "ANSIBLE_ROLES_PATH",
    "ANSIBLE_STRATEGY_PLUGINS",
    "ANT_OPTS",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_AUTH_LOCATION",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "BASH_ENV",
    "BROWSER",
    "BUNDLE_GEMFILE",
    "BUN_CONFIG_REGISTRY",
    "BZR_EDITOR",
    "BZR_PLUGIN_PATH",
    "BZR_SSH",
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_HOME",
    "CATALINA_OPTS",
    "CC",
    "CFLAGS",
    "CGO_CFLAGS",
    "CGO_LDFLAGS",
    "CLASSPATH",
    "CMAKE_CXX_COMPILER",
    "CMAKE_C_COMPILER",
    "CMAKE_TOOLCHAIN_FILE",
    "COMPOSER_HOME",
    "CONFIG_SHELL",
    "CONFIG_SITE",
    "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "CURL_CA_BUNDLE",
    "CURL_HOME",
    "CXX",
    "C_INCLUDE_PATH",
    "DATABASE_URL",
    "DENO_DIR",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOTNET_ADDITIONAL_DEPS",
    "DOTNET_STARTUP_HOOKS",
    "EDITOR",
    "ELIXIR_ERL_OPTIONS",
    "EMACSLOADPATH",
    "ENV",
    "ERL_AFLAGS",
    "ERL_FLAGS",
    "ERL_ZFLAGS",
    "EXINIT",
    "FCEDIT",
    "GCONV_PATH",
    "GEM_HOME",
    "GEM_PATH",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "GITLAB_TOKEN",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ASKPASS",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_HOOK_PATH",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_NO_VERIFY",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
    "GLIBC_TUNABLES",
    "GOENV",
    "GOFLAGS",
    "GONOPROXY",
    "GONOSUMCHECK",
    "GONOSUMDB",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOPATH",
    "GOPRIVATE",
    "GOPROXY",
    "GRADLE_OPTS",
    "GRADLE_USER_HOME",
    "GVIMINIT",
    "HELM_HOME",
    "HELM_PLUGINS",
    "HGRCPATH",
    "HISTFILE",
    "HOME",
    "HOSTALIASES",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "IFS",
    "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JULIA_EDITOR",
    "KUBECONFIG",
    "LDFLAGS",
    "LESSCLOSE",
    "LESSOPEN",
    "LIBRARY_PATH",
    "LUA_CPATH",
    "LUA_INIT",
    "LUA_INIT_5_1",
    "LUA_INIT_5_2",
    "LUA_INIT_5_3",
    "LUA_INIT_5_4",
    "LUA_PATH",
    "MAKEFLAGS",
    "MANPAGER",
    "MAVEN_OPTS",
    "MFLAGS",
    "MONGODB_URI",
    "MYVIMRC",
    "NODE_AUTH_TOKEN",
    "NODE_EXTRA_CA_CERTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "NO_PROXY",
    "NPM_TOKEN",
    "OBJC_INCLUDE_PATH",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "PACKER_PLUGIN_PATH",
    "PAGER",
    "PERL5DB",
    "PERL5DBCMD",
    "PERL5LIB",
    "PERL5OPT",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PIP_CONFIG_FILE",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_PYPI_URL",
    "PIP_TRUSTED_HOST",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONBREAKPOINT",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "REDIS_URL",
    "REQUESTS_CA_BUNDLE",
    "RUBYLIB",
    "RUBYOPT",
    "RUBYSHELL",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "R_ENVIRON",
    "R_ENVIRON_USER",
    "R_LIBS_USER",
    "R_PROFILE",
    "R_PROFILE_USER",
    "SBT_OPTS",
    "SHELL",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
    "SSLKEYLOGFILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SUDO_ASKPASS",
    "SUDO_EDITOR",
    "SVN_EDITOR",
    "SVN_SSH",
    "SYSTEMROOT",
    "TF_CLI_CONFIG_FILE",
    "TF_PLUGIN_CACHE_DIR",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_PYTHON",
    "VAGRANT_VAGRANTFILE",
    "VIMINIT",
    "VIRTUAL_ENV",
    "VISUAL",
    "WGETRC",
    "WINDIR",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "YARN_RC_FILENAME",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// Families of the same kind.
const DANGEROUS_PREFIXES: &[&str] = &[
    "BASH_FUNC_",
    "CARGO_REGISTRIES_",
    "DYLD_",
    "GIT_CONFIG_",
    "LD_",
    "NPM_CONFIG_",
    "TF_VAR_",
];

/// Sorted; refused only from the working directory: credentials and endpoints of the operator.
const WORKSPACE_ONLY: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_OAUTH_TOKEN",
    "BROWSER_EXECUTABLE_PATH",
    "CLOUDSDK_PYTHON",
    "COMSPEC",
    "HOMEBREW_BREW_FILE",
    "HOMEBREW_PREFIX",
    "IRC_HOST",
    "LOCALAPPDATA",
    "MATTERMOST_URL",
    "NPM_EXECPATH",
    "OPENAI_API_KEY",
    "OPENAI_API_KEYS",
    "PATH",
    "PI_CODING_AGENT_DIR",
    "PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "STATE_DIRECTORY",
    "SYNOLOGY_CHAT_INCOMING_URL",
    "SYNOLOGY_NAS_HOST",
];

/// Families refused only from the working directory.
const WORKSPACE_PREFIXES: &[&str] = &[
    "ANTHROPIC_API_KEY_",
    "CLAWHUB_",
    "OPENAI_API_KEY_",
    "OPENCLAW_",
];

/// Endings refused only from the working directory: endpoints.
const WORKSPACE_SUFFIXES: &[&str] = &["_API_HOST", "_BASE_URL", "_HOMESERVER"];

/// Whether the variable could redirect programs that the gateway starts. Case does not matter.
pub fn is_dangerous_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    DANGEROUS.binary_search(&upper.as_str()).is_ok()
        || DANGEROUS_PREFIXES
            .iter()
            .any(|prefix| upper.starts_with(prefix))
}

/// Whether a `.env` file in the working directory may not set the variable.
pub(super) fn is_blocked_in_workspace(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    is_dangerous_name(&upper)
        || WORKSPACE_ONLY.binary_search(&upper.as_str()).is_ok()
        || WORKSPACE_PREFIXES
            .iter()
            .any(|prefix| upper.starts_with(prefix))
        || WORKSPACE_SUFFIXES
            .iter()
            .any(|suffix| upper.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_for_the_binary_search() {
        assert!(DANGEROUS.is_sorted());
        assert!(WORKSPACE_ONLY.is_sorted());
    }

    #[test]
    fn names_by_family() {
        for name in [
            "NODE_OPTIONS",
            "ld_preload",
            "GIT_SSH_COMMAND",
            "NPM_CONFIG_REGISTRY",
        ] {
            assert!(is_dangerous_name(name), "{name}");
        }
        for name in [
            "OPENCLAW_GATEWAY_TOKEN",
            "OPENAI_API_KEY",
            "FOO_BASE_URL",
            "PATH",
        ] {
            assert!(is_blocked_in_workspace(name), "{name}");
            assert!(!is_dangerous_name(name), "{name}");
        }
        assert!(!is_blocked_in_workspace("MY_SETTING"));
    }
}
