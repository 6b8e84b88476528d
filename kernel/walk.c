/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk along a path, component by component, with symbolic links: path_resolution(7).
 */
#include <string.h>

#include "host/page.h"
#include "kernel/inode.h"

/* The state of a walk beside its result. */
struct walker {
	struct walk *w;
	char *path; /* what is walked: kmalloc'ed, replaced when a link is spliced in */
	char *rest; /* the part not yet walked */
	u32 links;  /* followed so far */
	enum walk_links at_end;
};

enum step {
	STEP_MORE, /* go on with the rest */
	STEP_DONE,
};

static char *skip_slashes(char *p)
{
	while (*p == '/')
		p++;
	return p;
}

static enum last_component component_kind(const char *name)
{
	if (strcmp(name, ".") == 0)
		return LAST_DOT;
	return strcmp(name, "..") == 0 ? LAST_DOTDOT : LAST_NAME;
}

/* Takes the next component off the rest into w->last. 0, or -ENAMETOOLONG. */
static int next_component(struct walker *k)
{
	struct walk *w = k->w;
	char *end = k->rest;

	while (*end && *end != '/')
		end++;
	if (end - k->rest > VFS_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(w->last, k->rest, (size_t)(end - k->rest));
	w->last[end - k->rest] = '\0';
	w->kind = component_kind(w->last);
	w->slash = *end == '/';
	k->rest = skip_slashes(end);
	return 0;
}

static void set_dir(struct walk *w, struct inode *dir)
{
	inode_put(w->dir);
	w->dir = dir;
}

s64 inode_readlink(struct inode *inode, char *buf, size_t size)
{
	size_t n;

	if (!inode_is_link(inode))
		return -EINVAL;
	if (inode->ops && inode->ops->readlink)
		return inode->ops->readlink(inode, buf, size);
	n = strlen(inode->target);
	if (n > size)
		return -ENAMETOOLONG;
	memcpy(buf, inode->target, n);
	return (s64)n;
}

/* Puts the target of @link before the rest of the path. */
static int splice_link(struct walker *k, struct inode *link)
{
	char *path = kmalloc(2 * VFS_PATH_MAX);
	size_t rest = strlen(k->rest);
	s64 n;

	if (!path)
		return -ENOMEM;
	n = inode_readlink(link, path, VFS_PATH_MAX - 1);
	if (n > 0 && rest + 2 > 2 * VFS_PATH_MAX - (size_t)n)
		n = -ENAMETOOLONG;
	if (n <= 0) {
		kfree(path);
		return n < 0 ? (int)n : -ENOENT;
	}
	/* A slash that followed the link still demands a directory. */
	if (k->w->slash)
		path[n++] = '/';
	memcpy(path + n, k->rest, rest + 1);
	kfree(k->path);
	k->path = path;
	k->rest = path;
	if (*path == '/') {
		set_dir(k->w, inode_get(vfs_root));
		k->rest = skip_slashes(path);
		k->w->kind = LAST_ROOT;
		k->w->slash = true;
	}
	return 0;
}

/* Follows @link, whose reference is taken over; *@inode is set where a magic link led directly. */
static int follow_link(struct walker *k, struct inode *link, struct inode **inode)
{
	int ret = 0;

	*inode = NULL;
	if (++k->links > VFS_LINKS_MAX) {
		ret = -ELOOP;
	} else if (link->ops && link->ops->follow) {
		*inode = link->ops->follow(link);
		if (IS_ERR(*inode))
			ret = (int)PTR_ERR(*inode);
		k->w->by_handle = true;
	} else {
		ret = splice_link(k, link);
	}
	inode_put(link);
	return ret;
}

/* The last component is @inode (counted), or absent. */
static int finish(struct walk *w, struct inode *inode)
{
	w->inode = inode;
	return STEP_DONE;
}

/* Walks one component: STEP_*, or an error. */
static int walk_step(struct walker *k)
{
	struct walk *w = k->w;
	struct inode *inode;
	bool last;
	int ret;

	if (*k->rest == '\0')
		return finish(w, inode_get(w->dir)); /* "/", or a link to it */
	ret = next_component(k);
	if (ret)
		return ret;
	last = *k->rest == '\0';
	inode = dir_lookup(w->dir, w->last);
	if (IS_ERR(inode))
		return last && PTR_ERR(inode) == -ENOENT ? finish(w, NULL) : (int)PTR_ERR(inode);
	if (inode_is_link(inode) && (!last || w->slash || k->at_end == WALK_FOLLOW)) {
		ret = follow_link(k, inode, &inode);
		if (ret || !inode)
			return ret ? ret : STEP_MORE;
	}
	if (last)
		return finish(w, inode);
	if (!inode_is_dir(inode)) {
		inode_put(inode);
		return -ENOTDIR;
	}
	w->by_handle = false;
	set_dir(w, inode);
	return STEP_MORE;
}

static int walker_begin(struct walker *k, struct inode *start, const char *path)
{
	size_t size = strlen(path) + 1;

	if (size == 1)
		return -ENOENT;
	if (size > VFS_PATH_MAX)
		return -ENAMETOOLONG;
	k->path = kmalloc(size);
	if (!k->path)
		return -ENOMEM;
	memcpy(k->path, path, size);
	k->rest = skip_slashes(k->path);
	k->w->dir = inode_get(*path == '/' ? vfs_root : start);
	k->w->kind = *path == '/' ? LAST_ROOT : LAST_NAME;
	return 0;
}

int walk_path(struct walk *w, struct inode *start, const char *path, enum walk_links links)
{
	struct walker k = { .w = w, .at_end = links };
	int ret;

	w->inode = NULL;
	w->slash = false;
	w->by_handle = false;
	w->last[0] = '\0';
	ret = walker_begin(&k, start, path);
	if (ret)
		return ret;
	do
		ret = walk_step(&k);
	while (ret == STEP_MORE);
	kfree(k.path);
	if (ret != STEP_DONE) {
		inode_put(w->dir);
		return ret;
	}
	return 0;
}

int walk_must_exist(const struct walk *w)
{
	if (!w->inode)
		return -ENOENT;
	return w->slash && !inode_is_dir(w->inode) ? -ENOTDIR : 0;
}

void walk_end(struct walk *w)
{
	if (w->inode)
		inode_put(w->inode);
	inode_put(w->dir);
}
