#include "textflag.h"
#include "text.h"

#define SYS_write 1
#define SYS_rt_sigprocmask 14
#define SYS_getpid 39
#define SYS_wait4 61
#define SYS_rt_sigtimedwait 128
#define SYS_exit_group 231

// PRINT writes len bytes at text to a file descriptor. What a write returns is
// ignored, as upstream ignores it: a closed stderr must not end a pod.
#define PRINT(fd, text, len) \
	MOVL $fd, DI; \
	LEAQ text(SB), SI; \
	MOVL $len, DX; \
	MOVL $SYS_write, AX; \
	SYSCALL

#define EXIT(code) \
	MOVL $code, DI; \
	MOVL $SYS_exit_group, AX; \
	SYSCALL; \
	INT $3

// func entry()
//
// The kernel starts here with argc at 0(SP) and argv from 8(SP). Nothing is
// written to the stack: a page that is not touched is not charged to the pod.
TEXT ·entry(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVQ 0(SP), R12
	LEAQ 8(SP), R13
	MOVQ $1, R14

nextArg:
	CMPQ R14, R12
	JGE  checkPID
	MOVQ (R13)(R14*8), SI
	INCQ R14
	CMPB 0(SI), $'-'
	JNE  nextArg
	MOVB 1(SI), AX
	ORB  $0x20, AX // upstream takes -v and -V
	CMPB AX, $'v'
	JNE  nextArg
	CMPB 2(SI), $0
	JNE  nextArg

	PRINT(1, name<>, name_len)
	MOVL $1, DI
	MOVQ ·version+0(SB), SI
	MOVQ ·version+8(SB), DX
	MOVL $SYS_write, AX
	SYSCALL
	PRINT(1, newline<>, newline_len)
	EXIT(0)

checkPID:
	MOVL $SYS_getpid, AX
	SYSCALL
	CMPL AX, $1
	JEQ  block
	PRINT(2, warning<>, warning_len)

block:
	// Blocked before the first wait4, so that no signal falls between them.
	MOVL $SIG_BLOCK, DI
	LEAQ signals<>(SB), SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $SYS_rt_sigprocmask, AX
	SYSCALL
	TESTQ AX, AX
	JNE  blockFailed

reap:
	MOVL $-1, DI
	XORL SI, SI
	MOVL $WNOHANG, DX
	XORL R10, R10
	MOVL $SYS_wait4, AX
	SYSCALL
	TESTL AX, AX
	JGT  reap

	LEAQ signals<>(SB), DI
	XORL SI, SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $SYS_rt_sigtimedwait, AX
	SYSCALL
	CMPL AX, $SIGCHLD
	JEQ  reap
	CMPL AX, $-EINTR // after SIGSTOP and SIGCONT
	JEQ  reap
	CMPL AX, $SIGTERM
	JEQ  terminated
	CMPL AX, $SIGINT
	JEQ  interrupted
	PRINT(2, looped<>, looped_len)
	EXIT(42)

terminated:
	PRINT(2, terminated<>, terminated_len)
	EXIT(0)

interrupted:
	PRINT(2, interrupted<>, interrupted_len)
	EXIT(0)

blockFailed:
	EXIT(1)
