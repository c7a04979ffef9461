/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of fs.defs that a node without program and changeable directory does not have.  */

#include "trivfs-internal.h"

#include "fs_S.h"

kern_return_t S_dir_mkdir(trivfs_protid_t directory, const_string_t name, mode_t mode)
{
    (void)directory, (void)name, (void)mode;
    return ENOTDIR;
}

kern_return_t S_dir_rmdir(trivfs_protid_t directory, const_string_t name)
{
    (void)directory, (void)name;
    return ENOTDIR;
}

kern_return_t S_dir_unlink(trivfs_protid_t directory, const_string_t name)
{
    (void)directory, (void)name;
    return ENOTDIR;
}

kern_return_t S_dir_link(trivfs_protid_t dir, trivfs_protid_t file, const_string_t name, int excl)
{
    (void)dir, (void)file, (void)name, (void)excl;
    return ENOTDIR;
}

kern_return_t S_dir_rename(trivfs_protid_t olddirectory, const_string_t oldname, trivfs_protid_t newdirectory,
                           const_string_t newname, int excl)
{
    (void)olddirectory, (void)oldname, (void)newdirectory, (void)newname, (void)excl;
    return ENOTDIR;
}

kern_return_t S_dir_mkfile(trivfs_protid_t directory, int flags, mode_t mode, mach_port_t *newnode,
                           mach_msg_type_name_t *newnodePoly)
{
    (void)directory, (void)flags, (void)mode, (void)newnode, (void)newnodePoly;
    return ENOTDIR;
}

kern_return_t S_file_exec(trivfs_protid_t exec_file, mach_port_t exec_task, int flags, const_data_t argv,
                          mach_msg_type_number_t argvCnt, boolean_t argvSCopy, const_data_t envp,
                          mach_msg_type_number_t envpCnt, boolean_t envpSCopy, const_portarray_t fdarray,
                          mach_msg_type_number_t fdarrayCnt, boolean_t fdarraySCopy, const_portarray_t portarray,
                          mach_msg_type_number_t portarrayCnt, boolean_t portarraySCopy, const_intarray_t intarray,
                          mach_msg_type_number_t intarrayCnt, boolean_t intarraySCopy, const_mach_port_name_array_t
                          deallocnames, mach_msg_type_number_t deallocnamesCnt, boolean_t deallocnamesSCopy,
                          const_mach_port_name_array_t destroynames, mach_msg_type_number_t destroynamesCnt,
                          boolean_t destroynamesSCopy)
{
    (void)exec_file, (void)exec_task, (void)flags, (void)argv, (void)argvCnt, (void)argvSCopy, (void)envp,
        (void)envpCnt, (void)envpSCopy, (void)fdarray, (void)fdarrayCnt, (void)fdarraySCopy, (void)portarray,
        (void)portarrayCnt, (void)portarraySCopy, (void)intarray, (void)intarrayCnt, (void)intarraySCopy,
        (void)deallocnames, (void)deallocnamesCnt, (void)deallocnamesSCopy, (void)destroynames, (void)destroynamesCnt,
        (void)destroynamesSCopy;
    return EACCES;
}

kern_return_t S_file_exec_paths(trivfs_protid_t exec_file, mach_port_t exec_task, int flags, const_string_t path,
                                const_string_t abspath, const_data_t argv, mach_msg_type_number_t argvCnt, boolean_t
                                argvSCopy, const_data_t envp, mach_msg_type_number_t envpCnt, boolean_t envpSCopy,
                                const_portarray_t fdarray, mach_msg_type_number_t fdarrayCnt, boolean_t
                                fdarraySCopy, const_portarray_t portarray, mach_msg_type_number_t portarrayCnt,
                                boolean_t portarraySCopy, const_intarray_t intarray, mach_msg_type_number_t
                                intarrayCnt, boolean_t intarraySCopy, const_mach_port_name_array_t deallocnames,
                                mach_msg_type_number_t deallocnamesCnt, boolean_t deallocnamesSCopy,
                                const_mach_port_name_array_t destroynames, mach_msg_type_number_t destroynamesCnt,
                                boolean_t destroynamesSCopy)
{
    (void)exec_file, (void)exec_task, (void)flags, (void)path, (void)abspath, (void)argv, (void)argvCnt,
        (void)argvSCopy, (void)envp, (void)envpCnt, (void)envpSCopy, (void)fdarray, (void)fdarrayCnt,
        (void)fdarraySCopy, (void)portarray, (void)portarrayCnt, (void)portarraySCopy, (void)intarray,
        (void)intarrayCnt, (void)intarraySCopy, (void)deallocnames, (void)deallocnamesCnt, (void)deallocnamesSCopy,
        (void)destroynames, (void)destroynamesCnt, (void)destroynamesSCopy;
    return EACCES;
}

kern_return_t S_file_getfh(trivfs_protid_t file, data_t *filehandle, mach_msg_type_number_t *filehandleCnt)
{
    (void)file, (void)filehandle, (void)filehandleCnt;
    return EOPNOTSUPP;
}

kern_return_t S_file_set_translator(trivfs_protid_t file, int passive_flags, int active_flags, int oldtrans_flags,
                                    const_data_t passive, mach_msg_type_number_t passiveCnt, boolean_t passiveSCopy,
                                    mach_port_t active)
{
    (void)file, (void)passive_flags, (void)active_flags, (void)oldtrans_flags, (void)passive, (void)passiveCnt,
        (void)passiveSCopy, (void)active;
    return EOPNOTSUPP;
}

kern_return_t S_file_get_translator(trivfs_protid_t file, data_t *translator, mach_msg_type_number_t *translatorCnt)
{
    (void)file, (void)translator, (void)translatorCnt;
    return EOPNOTSUPP;
}

kern_return_t S_file_get_translator_cntl(trivfs_protid_t file, mach_port_t *translator_cntl, mach_msg_type_name_t
                                         *translator_cntlPoly)
{
    (void)file, (void)translator_cntl, (void)translator_cntlPoly;
    return EOPNOTSUPP;
}

kern_return_t S_file_reparent(trivfs_protid_t file, mach_port_t parent, mach_port_t *new_file, mach_msg_type_name_t
                              *new_filePoly)
{
    (void)file, (void)parent, (void)new_file, (void)new_filePoly;
    return EOPNOTSUPP;
}
