#include "textflag.h"
#include "text.h"

#define SYS_write 64
#define SYS_exit_group 94
#define SYS_rt_sigprocmask 135
#define SYS_rt_sigtimedwait 137
#define SYS_getpid 172
#define SYS_wait4 260

// PRINT writes len bytes at text to a file descriptor. What a write returns is
// ignored, as upstream ignores it: a closed stderr must not end a pod.
#define PRINT(fd, text, len) \
	MOVD $fd, R0; \
	MOVD $text(SB), R1; \
	MOVD $len, R2; \
	MOVD $SYS_write, R8; \
	SVC

#define EXIT(code) \
	MOVD $code, R0; \
	MOVD $SYS_exit_group, R8; \
	SVC; \
	BRK

// func entry()
//
// The kernel starts here with argc at 0(RSP) and argv from 8(RSP). Nothing is
// written to the stack: a page that is not touched is not charged to the pod.
TEXT ·entry(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD 0(RSP), R19
	ADD  $8, RSP, R20
	MOVD $1, R21

nextArg:
	CMP  R19, R21
	BGE  checkPID
	MOVD (R20)(R21<<3), R1
	ADD  $1, R21
	MOVBU 0(R1), R2
	CMP  $'-', R2
	BNE  nextArg
	MOVBU 1(R1), R2
	ORR  $0x20, R2 // upstream takes -v and -V
	CMP  $'v', R2
	BNE  nextArg
	MOVBU 2(R1), R2
	CBNZ R2, nextArg

	PRINT(1, name<>, name_len)
	MOVD $1, R0
	MOVD ·version+0(SB), R1
	MOVD ·version+8(SB), R2
	MOVD $SYS_write, R8
	SVC
	PRINT(1, newline<>, newline_len)
	EXIT(0)

checkPID:
	MOVD $SYS_getpid, R8
	SVC
	CMPW $1, R0
	BEQ  block
	PRINT(2, warning<>, warning_len)

block:
	// Blocked before the first wait4, so that no signal falls between them.
	MOVD $SIG_BLOCK, R0
	MOVD $signals<>(SB), R1
	MOVD ZR, R2
	MOVD $8, R3
	MOVD $SYS_rt_sigprocmask, R8
	SVC
	CBNZ R0, blockFailed

reap:
	MOVD $-1, R0
	MOVD ZR, R1
	MOVD $WNOHANG, R2
	MOVD ZR, R3
	MOVD $SYS_wait4, R8
	SVC
	CMPW $0, R0
	BGT  reap

	MOVD $signals<>(SB), R0
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD $8, R3
	MOVD $SYS_rt_sigtimedwait, R8
	SVC
	CMPW $SIGCHLD, R0
	BEQ  reap
	CMNW $EINTR, R0 // after SIGSTOP and SIGCONT
	BEQ  reap
	CMPW $SIGTERM, R0
	BEQ  terminated
	CMPW $SIGINT, R0
	BEQ  interrupted
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
