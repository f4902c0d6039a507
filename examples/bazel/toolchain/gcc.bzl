"""A C toolchain whose tools are those of the container image."""

load("@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl", "tool_path")

_TOOLS = ["ar", "cpp", "gcc", "gcov", "ld", "nm", "objcopy", "objdump", "strip"]

def _gcc_toolchain_config_impl(ctx):
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        toolchain_identifier = "gcc-in-image",
        host_system_name = "local",
        target_system_name = "local",
        target_cpu = "k8",
        target_libc = "glibc",
        compiler = "gcc",
        abi_version = "unknown",
        abi_libc_version = "unknown",
        tool_paths = [
            tool_path(name = name, path = "/usr/bin/" + name)
            for name in _TOOLS
        ],
        cxx_builtin_include_directories = ["/usr/include", "/usr/lib/gcc"],
    )

gcc_toolchain_config = rule(
    implementation = _gcc_toolchain_config_impl,
    attrs = {},
    provides = [CcToolchainConfigInfo],
)
