#!/usr/bin/env bash
# Pretraining over several hosts by torchrun: start it on every one of them, with the same arguments.
#
#   HEAD=host1 HOSTS=2 PROCESSES=8 bash torchrun.sh glm-large data=/shared/prepared output=/shared/runs/large
#
# HEAD       the host where processes find one another, by its name or address; PORT of it must be open
# HOSTS      how many hosts there are; a range, 1:2, lets the run go on with those that are left
# PROCESSES  of a host: one for each GPU
# RUN        a name that no other run on HEAD has at the time
#
# data and output lie on a file system that all hosts share. A process that dies ends the others, and all begin again
# from the last complete checkpoint, three times at most.
set -euo pipefail

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-8}"
# Each attempt meets in a store of its own: in torchrun's, which stays, it would find addresses of processes that are gone.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
# torchrun would ask the hosts file whether this host is HEAD, where a host often is 127.0.1.1 to itself.
conf=()
case " $(hostname) $(hostname -I 2> /dev/null) " in
    *" ${HEAD:?the host where processes find one another} "*) conf=(--rdzv-conf is_host=true) ;;
esac

exec torchrun \
    --nnodes "${HOSTS:-2}" \
    --nproc-per-node "${PROCESSES:-8}" \
    --max-restarts 3 \
    --rdzv-backend c10d \
    --rdzv-endpoint "$HEAD:${PORT:-29500}" \
    --rdzv-id "${RUN:-glmkit}" \
    "${conf[@]}" \
    -m glmkit.cli.main pretrain "$@" --resume auto
