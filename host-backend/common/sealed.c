// SPDX-License-Identifier: MIT
/* Memory of a fixed size; see sealed.h. */
#include "sealed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u		/* Linux 6.3 */
#endif

#define NEEDED (F_SEAL_SHRINK | F_SEAL_GROW)

int sealed_memfd(const char *kind, const char *name, uint64_t size)
{
	cleanup_fd int fd = -1;
	char label[128];

	snprintf(label, sizeof(label), "pvgpu-%s-%s", kind, name);
	fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING |
				 MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, NEEDED | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(&fd);
}

int sealed_map(int fd, uint64_t size, void **ret)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *at;

	if (seals < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((seals & NEEDED) != NEEDED || (uint64_t)st.st_size < size)
		return -EINVAL;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*ret = at;
	return 0;
}
