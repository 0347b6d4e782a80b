"""Compile every kernel for cards that need not be here (sm_80, sm_90), and print the size of each.

The interpreter does not check what a compiler refuses. Run in a process without TRITON_INTERPRET.
"""

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from dmdoc.memory import adapter_triton, delta_rule_triton

KERNELS = {
    adapter_triton: ("_inputs",),
    delta_rule_triton: ("_maps", "_chain", "_reads", "_back", "_chain_back", "_gradients"),
}
INPUTS = {
    "HEADS": 4, "TOKENS": adapter_triton.TOKENS, "WIDTH": 400, "MODE": 1, "HAS_QUERIES": True,
    "HAS_LAMBDA": True, "NORMALISED": True, "SHIFTS": True,
}  # fmt: skip
SCAN = {"HEADS": 4, "HAS_MASK": True, "HAS_READS": True, "KEEP_STARTS": True}
BACKWARD = ("_back", "_gradients")
SHAPES = ((8, 8), (32, 1))
"""Rank and gates a head: the published adapters and the embedded one."""

NUMBERS = ("time", "chunks")


def main() -> None:
    kernels = [(module, name, getattr(module, name)) for module, names in KERNELS.items() for name in names]
    for rank, gates in SHAPES:
        for module, name, function in kernels:
            chunk = delta_rule_triton.CHUNK_WITH_GRADIENTS if name in BACKWARD else delta_rule_triton.CHUNK
            known = (INPUTS if module is adapter_triton else SCAN) | {
                "RANK": rank, "SIZE": rank, "GATES": gates, "CHUNK": chunk, "ROWS": rank if gates == 1 else 1,
            }  # fmt: skip
            constants = {arg: known[arg] for arg in function.arg_names if arg in known}
            signature = {
                arg: "constexpr"
                if arg in constants
                else "i32" if arg in NUMBERS else "*u8" if arg == "mask" else "*bf16" if arg == "projected" else "*fp32"
                for arg in function.arg_names
            }  # fmt: skip
            for capability in (80, 90):
                source = ASTSource(function, signature, constants)
                compiled = triton.compile(
                    source,
                    target=GPUTarget("cuda", capability, 32),
                    options={"num_warps": 1 if rank <= 16 else 4, **delta_rule_triton.OPTIONS},
                )
                print(f"{name} rank {rank} gates {gates} sm_{capability}: {len(compiled.asm['cubin'])} bytes")


if __name__ == "__main__":
    main()
