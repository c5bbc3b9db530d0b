"""What numba makes of a function here: code that kernels take in, or a kernel.

Numba optimises every function fully and makes machine code of it, also of one that is only there to
be linked into its callers, which do both again; and beside the machine code of every function it
keeps what others could link. Without the one a cold cache is filled in five sixths of the time, and
there is one machine code of a function, that in its caller, whichever process compiled them;
without the other a warm `train` takes 60 ms less.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _NoMemory:
    """In place of the code generator, for a function that has no place in memory."""

    def set_env(self, name: str, environment: Any) -> None:
        """Numba's place for what a function asks of the interpreter: each caller has its own."""


class InlinedLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of one function, prepared for callers to link."""

    codegen = _NoMemory()

    def _optimize_final_module(self) -> None:
        """The first of numba's two rounds, which takes in what this function calls; after linking,
        callers go through both.
        """
        made = self._codegen._module_pass_manager(
            loop_vectorize=False, slp_vectorize=False, opt=0, cost="cheap"
        )
        passes, *builder = made if isinstance(made, tuple) else (made,)
        passes.run(self._final_module, *builder)

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Null: nobody calls it by its address."""
        self._ensure_finalized()
        return 0


class KernelLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of a kernel, which is called by its address alone."""

    def _get_module_for_linking(self) -> Any:
        raise RuntimeError(f"{self.name} is a kernel: it is called by its address, not linked")

    def serialize_using_object_code(self) -> tuple[str, str, tuple[bytes, bytes]]:
        """Its machine code, and the names that are defined in it as functions without content."""
        self._ensure_finalized()
        names = ir.Module()
        nothing = ir.FunctionType(ir.VoidType(), ())
        for function in self.get_defined_functions():
            entry = ir.Function(names, nothing, function.name).append_basic_block()
            ir.IRBuilder(entry).unreachable()
        bitcode = binding.parse_assembly(str(names)).as_bitcode()
        return self.name, "object", (self._get_compiled_object(), bitcode)


class InlinedCompiler(Compiler):  # type: ignore[misc]
    """Numba's compiler for functions that kernels take in."""

    library: type[JITCodeLibrary] = InlinedLibrary

    def define_pipelines(self) -> Any:
        state = self.state
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().define_pipelines()


class KernelCompiler(InlinedCompiler):
    """Numba's compiler for kernels."""

    library = KernelLibrary
