// What both architectures share: numbers of the kernel's interface, and what is
// printed, which is upstream's wording (the signals' as psignal(3) has it).
// DATA takes at most eight bytes at a time.

#define SIGINT 2
#define SIGTERM 15
#define SIGCHLD 17
#define SIG_BLOCK 0
#define WNOHANG 1
#define EINTR 4

// The set of signals that are waited for: bit n-1 is signal n.
DATA signals<>+0(SB)/8, $(1<<(SIGINT-1) | 1<<(SIGTERM-1) | 1<<(SIGCHLD-1))
GLOBL signals<>(SB), RODATA|NOPTR, $8

DATA name<>+0(SB)/6, $"pause "
#define name_len 6
GLOBL name<>(SB), RODATA|NOPTR, $6

DATA newline<>+0(SB)/1, $"\n"
#define newline_len 1
GLOBL newline<>(SB), RODATA|NOPTR, $1

DATA warning<>+0(SB)/8, $"Warning:"
DATA warning<>+8(SB)/8, $" pause s"
DATA warning<>+16(SB)/8, $"hould be"
DATA warning<>+24(SB)/8, $" the fir"
DATA warning<>+32(SB)/8, $"st proce"
DATA warning<>+40(SB)/3, $"ss\n"
#define warning_len 43
GLOBL warning<>(SB), RODATA|NOPTR, $43

DATA terminated<>+0(SB)/8, $"Shutting"
DATA terminated<>+8(SB)/8, $" down, g"
DATA terminated<>+16(SB)/8, $"ot signa"
DATA terminated<>+24(SB)/8, $"l: Termi"
DATA terminated<>+32(SB)/6, $"nated\n"
#define terminated_len 38
GLOBL terminated<>(SB), RODATA|NOPTR, $38

DATA interrupted<>+0(SB)/8, $"Shutting"
DATA interrupted<>+8(SB)/8, $" down, g"
DATA interrupted<>+16(SB)/8, $"ot signa"
DATA interrupted<>+24(SB)/8, $"l: Inter"
DATA interrupted<>+32(SB)/5, $"rupt\n"
#define interrupted_len 37
GLOBL interrupted<>(SB), RODATA|NOPTR, $37

DATA looped<>+0(SB)/8, $"Error: i"
DATA looped<>+8(SB)/8, $"nfinite "
DATA looped<>+16(SB)/8, $"loop ter"
DATA looped<>+24(SB)/8, $"minated\n"
#define looped_len 32
GLOBL looped<>(SB), RODATA|NOPTR, $32
