#include "textflag.h"

// The C functions are called by address, so Go must be able to take it.

TEXT libc_dlopen_trampoline<>(SB),NOSPLIT,$0-0
	JMP	libc_dlopen(SB)
GLOBL	·dlopenAddress(SB), RODATA, $8
DATA	·dlopenAddress(SB)/8, $libc_dlopen_trampoline<>(SB)

TEXT libc_dlsym_trampoline<>(SB),NOSPLIT,$0-0
	JMP	libc_dlsym(SB)
GLOBL	·dlsymAddress(SB), RODATA, $8
DATA	·dlsymAddress(SB)/8, $libc_dlsym_trampoline<>(SB)
